// SPDX-License-Identifier: GPL-2.0
/*
 * Frames to one receiver that left by one of the devices, for whoever wants to look at them. Those to
 * many are the kernel's own: for seconds after a device has come up it tells, at any time, of the
 * multicast groups that it is in.
 */

#include <linux/etherdevice.h>
#include <linux/kstrtox.h>
#include <linux/netdevice.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "nfo_bench.h"

#define BENCH_SENT_MAX	65536

struct bench_sent {
	char dev[IFNAMSIZ];
	unsigned int len;
	u8 *bytes;
};

/*
 * The frames, under the spinlock: the transmit path adds to them. Only a holder of bench_lock makes
 * another array, or looks at one.
 */
static DEFINE_SPINLOCK(bench_sent_lock);
static struct bench_sent *bench_sent;
static unsigned int bench_sent_len;
static unsigned int bench_sent_left;	/* how many more are wanted */

/* Before the first command nothing is recorded, so that a look is enough. */
void bench_sent_add(const struct sk_buff *skb, const struct net_device *dev)
{
	struct bench_sent *sent;

	if (likely(!READ_ONCE(bench_sent_left)))
		return;
	if (is_multicast_ether_addr(skb->data))
		return;

	spin_lock_bh(&bench_sent_lock);
	if (bench_sent_left) {
		sent = &bench_sent[bench_sent_len];
		sent->bytes = kmalloc(skb->len, GFP_ATOMIC | __GFP_NOWARN);
		if (sent->bytes && !skb_copy_bits(skb, 0, sent->bytes, skb->len)) {
			strscpy(sent->dev, dev->name, sizeof(sent->dev));
			sent->len = skb->len;
			bench_sent_len++;
			WRITE_ONCE(bench_sent_left, bench_sent_left - 1);
		} else {
			kfree(sent->bytes);
		}
	}
	spin_unlock_bh(&bench_sent_lock);
}

static void bench_sent_replace(struct bench_sent *sent, unsigned int wanted)
{
	struct bench_sent *old;
	unsigned int i, len;

	spin_lock_bh(&bench_sent_lock);
	old = bench_sent;
	len = bench_sent_len;
	bench_sent = sent;
	bench_sent_len = 0;
	WRITE_ONCE(bench_sent_left, wanted);
	spin_unlock_bh(&bench_sent_lock);

	for (i = 0; i < len; i++)
		kfree(old[i].bytes);
	kvfree(old);
}

/* record N */
int bench_do_record(int argc, char **argv)
{
	struct bench_sent *sent = NULL;
	unsigned int wanted;
	int err;

	err = kstrtouint(argv[1], 0, &wanted);
	if (err)
		return err;
	if (wanted > BENCH_SENT_MAX)
		return -EINVAL;
	if (!wanted) {
		/* What there is stays to be read. */
		spin_lock_bh(&bench_sent_lock);
		WRITE_ONCE(bench_sent_left, 0);
		spin_unlock_bh(&bench_sent_lock);
		return 0;
	}
	sent = kvcalloc(wanted, sizeof(*sent), GFP_KERNEL);
	if (!sent)
		return -ENOMEM;
	bench_sent_replace(sent, wanted);
	return 0;
}

void bench_sent_exit(void)
{
	bench_sent_replace(NULL, 0);
}

static void *bench_sent_at(loff_t pos)
{
	struct bench_sent *sent = NULL;

	spin_lock_bh(&bench_sent_lock);
	if (pos < bench_sent_len)
		sent = &bench_sent[pos];
	spin_unlock_bh(&bench_sent_lock);
	return sent;
}

static void *bench_sent_start(struct seq_file *seq, loff_t *pos)
{
	mutex_lock(&bench_lock);
	return bench_sent_at(*pos);
}

static void *bench_sent_next(struct seq_file *seq, void *at, loff_t *pos)
{
	return bench_sent_at(++*pos);
}

static void bench_sent_stop(struct seq_file *seq, void *at)
{
	mutex_unlock(&bench_lock);
}

static int bench_sent_show(struct seq_file *seq, void *at)
{
	const struct bench_sent *sent = at;
	unsigned int i;

	seq_printf(seq, "%s ", sent->dev);
	for (i = 0; i < sent->len; i++)
		seq_printf(seq, "%02x", sent->bytes[i]);
	seq_putc(seq, '\n');
	return 0;
}

const struct seq_operations bench_sent_ops = {
	.start	= bench_sent_start,
	.next	= bench_sent_next,
	.stop	= bench_sent_stop,
	.show	= bench_sent_show,
};
