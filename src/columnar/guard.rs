//! Calls into libraries that panic on damaged data.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

use parquet::errors::ParquetError;

thread_local! {
    /// Whether a panic of this thread is an answer and no news.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

static HOOK: Once = Once::new();

/// What `call` into the Parquet library gives; an error where it panics, as it does on some damaged files. Such a panic
/// is not printed. Whatever `call` was working on must not be used afterwards.
pub(crate) fn guarded<T, E: From<ParquetError>>(
    call: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    HOOK.call_once(|| {
        let others = take_hook();
        set_hook(Box::new(move |panic| {
            if !GUARDED.try_with(Cell::get).unwrap_or(false) {
                others(panic);
            }
        }));
    });
    let before = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(call));
    GUARDED.set(before);
    result.unwrap_or_else(|panic| {
        Err(E::from(ParquetError::General(format!(
            "the data are damaged: {}",
            message(panic.as_ref())
        ))))
    })
}

/// What a panic says.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("the reader gave up")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_and_the_next_call_is_guarded_too() {
        let pages: Vec<u8> = Vec::new();
        for _ in 0..2 {
            let error =
                guarded(|| -> Result<u8, ParquetError> { Ok(*pages.first().expect("a page")) })
                    .unwrap_err();
            assert!(
                error.to_string().contains("the data are damaged: a page"),
                "{error}"
            );
        }
        assert_eq!(guarded(|| Ok::<u8, ParquetError>(7)).ok(), Some(7));
        assert!(!GUARDED.get());
    }
}
