// SPDX-License-Identifier: GPL-2.0

//! Attributes, for the compiler: of the two that the kernel's `pin-init` has, what is needed of them where the
//! same sources are compiled with that, too.

use proc_macro::{
    Delimiter,
    Group,
    Ident,
    Span,
    TokenStream,
    TokenTree, //
};

/// Of a structure: takes `#[pin]` off its fields.
#[proc_macro_attribute]
pub fn pin_data(_: TokenStream, item: TokenStream) -> TokenStream {
    item.into_iter()
        .map(|token| match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                Group::new(Delimiter::Brace, without_pin(group.stream())).into()
            }
            other => other,
        })
        .collect()
}

fn without_pin(fields: TokenStream) -> TokenStream {
    let mut left = Vec::new();
    for token in fields {
        match token {
            TokenTree::Group(group) if group.stream().to_string() == "pin" => {
                // The number sign before it.
                left.pop();
            }
            other => left.push(other),
        }
    }
    left.into_iter().collect()
}

/// Of an `impl PinnedDrop for …`: makes the `impl Drop` that calls it.
#[proc_macro_attribute]
pub fn pinned_drop(_: TokenStream, item: TokenStream) -> TokenStream {
    let mut tokens: Vec<TokenTree> = item.clone().into_iter().collect();
    // What is between the braces is another function.
    tokens.pop();
    for token in &mut tokens {
        if matches!(token, TokenTree::Ident(name) if name.to_string() == "PinnedDrop") {
            *token = Ident::new("Drop", Span::call_site()).into();
        }
    }
    let body: TokenStream = "{
        fn drop(&mut self) {
            // SAFETY: It was pinned, as all such are, and is not used any more.
            let this = unsafe { ::core::pin::Pin::new_unchecked(self) };
            ::kernel::prelude::PinnedDrop::drop(this);
        }
    }"
    .parse()
    .unwrap_or_default();
    item.into_iter().chain(tokens).chain(body).collect()
}
