// SPDX-License-Identifier: GPL-2.0

//! Segments that end a connection, and those that pretend to.

use kernel::prelude::*;

#[kunit_tests(nft_offload_tcp)]
mod tests {
    use crate::flow::tcp::*;
    use crate::random::Random;

    const HZ: u32 = 250;

    fn with_ack(sequence: u32, acknowledged: u32) -> Segment {
        Segment {
            sequence,
            end: sequence,
            acknowledged: Some(acknowledged),
        }
    }

    fn without_ack(sequence: u32) -> Segment {
        Segment {
            sequence,
            end: sequence,
            acknowledged: None,
        }
    }

    fn noted(sequence: u32, acknowledged: u32, when: u32) -> Option<Noted> {
        let progress = Progress::new();
        progress.note(with_ack(sequence, acknowledged), when);
        progress.noted()
    }

    /// What was noted of both directions, a while ago: numbers around every edge.
    fn ends() -> impl Iterator<Item = (u32, u32)> {
        let numbers = [
            0,
            1,
            0xffff,
            0x7fff_ffff,
            0x8000_0000,
            u32::MAX - 5,
            u32::MAX,
        ];
        numbers
            .into_iter()
            .flat_map(move |a| numbers.into_iter().map(move |b| (a, b)))
    }

    #[test]
    fn nothing_noted_is_no_reason_to_doubt() {
        assert_eq!(Progress::new().noted(), None);
        assert_eq!(
            judge(without_ack(5), None, None, 1000, HZ),
            Judgement::Genuine
        );
    }

    #[test]
    fn a_note_without_acknowledgement_says_too_little() {
        let progress = Progress::new();
        progress.note(without_ack(1), 7);
        assert_eq!(progress.noted(), None);
    }

    #[test]
    fn the_end_of_an_idle_connection() {
        for (mine, yours) in ends() {
            let this = noted(mine, yours, 1000);
            let other = noted(yours, mine, 1000);
            for gone_on in [0, 1, 1 << 20] {
                let end = with_ack(mine.wrapping_add(gone_on), yours.wrapping_add(gone_on));
                assert_eq!(judge(end, this, other, 90_000, HZ), Judgement::Genuine);
                // Also if only one direction is known.
                assert_eq!(judge(end, this, None, 90_000, HZ), Judgement::Genuine);
                assert_eq!(judge(end, None, other, 90_000, HZ), Judgement::Genuine);
            }
            // The answer to a packet of the other direction, which was just noted.
            let asked = noted(yours, mine, 90_000);
            assert_eq!(
                judge(without_ack(mine), this, asked, 90_001, HZ),
                Judgement::Genuine
            );
        }
    }

    #[test]
    fn guesses_are_foreign() {
        let mut random = Random::new(7);
        let mut hits = 0;
        for _ in 0..20_000 {
            let (mine, yours) = (random.word() as u32, random.word() as u32);
            let (this, other) = (noted(mine, yours, 1000), noted(yours, mine, 1000));
            let (a, b) = (random.word() as u32, random.word() as u32);
            for guess in [with_ack(a, b), without_ack(a)] {
                match judge(guess, this, other, 90_000, HZ) {
                    Judgement::Foreign => {}
                    Judgement::Genuine => hits += 1,
                }
            }
        }
        // One in 250,000 of those with an acknowledgement.
        assert!(hits <= 2);
    }

    #[test]
    fn the_end_of_a_segment_is_noted() {
        let progress = Progress::new();
        progress.note(
            Segment {
                end: 1500,
                ..with_ack(1000, 7)
            },
            50,
        );
        let noted = progress.noted();
        assert!(noted.is_some_and(|n| n.sequence == 1500 && n.acknowledged == 7));
    }

    #[test]
    fn what_is_not_believed_is_noted_and_stays() {
        let progress = Progress::new();
        assert!(!progress.is_closing());
        progress.note_closing();
        assert!(progress.is_closing());
        assert_eq!(progress.noted(), None);
        progress.note(with_ack(1, 2), 77);
        assert!(progress.is_closing() && progress.noted().is_some());
    }

    #[test]
    fn where_a_connection_has_come_to_rest() {
        for (mine, yours) in ends() {
            // The last data was noted, and the acknowledgement of it was not.
            let (this, other) = (
                noted(mine, yours, 1000),
                noted(yours, mine.wrapping_sub(500), 1000),
            );
            let both = Some([mine, yours]);
            assert_eq!(at_rest([this, other], 90_000, HZ), both);
            assert_eq!(at_rest([other, this], 90_000, HZ), Some([yours, mine]));
            assert_eq!(at_rest([this, None], 90_000, HZ), both);
            assert_eq!(at_rest([None, this], 90_000, HZ), Some([yours, mine]));
            // It is in use.
            assert_eq!(at_rest([this, other], 1001, HZ), None);
            assert_eq!(
                at_rest([this, noted(yours, mine, 89_999)], 90_000, HZ),
                None
            );
            // Far more was sent than what the other side is known to have got.
            let far = noted(yours, mine.wrapping_sub(SLACK * 2), 1000);
            assert_eq!(at_rest([this, far], 90_000, HZ), None);
        }
        assert_eq!(at_rest([None, None], 90_000, HZ), None);
    }

    #[test]
    fn in_use_numbers_may_have_gone_on_further() {
        let (this, other) = (noted(5000, 7000, 1000), noted(7000, 5000, 1000));
        let ahead = with_ack(5000 + 50_000_000, 7000);
        assert_eq!(judge(ahead, this, other, 1100, HZ), Judgement::Genuine);
        assert_eq!(judge(ahead, this, other, 90_000, HZ), Judgement::Foreign);
        for guess in [
            with_ack(4_000_000_000, 7000),
            with_ack(5000, 4_000_000_000),
            without_ack(1),
            without_ack(5001),
        ] {
            assert_eq!(judge(guess, this, other, 1100, HZ), Judgement::Foreign);
        }
    }
}
