use std::sync::LazyLock;

/// How many whole numbers, from 0 on, have their logarithm in the table: counts and days are seldom larger.
const WHOLE: usize = 4_096;

static TABLE: LazyLock<[f64; WHOLE]> =
    LazyLock::new(|| std::array::from_fn(|whole| libm::log1p(whole as f64)));

/// `ln(1 + x)` as [`libm::log1p`] gives it, bit for bit; small whole numbers are looked up in a table.
#[derive(Clone, Copy, Debug)]
pub struct Log1p {
    table: &'static [f64; WHOLE],
}

impl Log1p {
    /// The function; the table is filled at its first use.
    pub fn new() -> Self {
        Self { table: &TABLE }
    }

    /// `ln(1 + x)`.
    #[inline]
    pub fn of(self, x: f64) -> f64 {
        // A sum of this size has no bits left for fractions: its lowest ones are the nearest whole number.
        const SHIFT: f64 = (1_u64 << 52) as f64;
        let shifted = x + SHIFT;
        let whole = (shifted.to_bits() & (WHOLE as u64 - 1)) as usize;
        let in_table = shifted - SHIFT == x && x >= 0.0 && x < WHOLE as f64;
        if in_table {
            self.table[whole].copysign(x)
        } else {
            libm::log1p(x)
        }
    }
}

impl Default for Log1p {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn same(x: f64) -> bool {
        Log1p::new().of(x).to_bits() == libm::log1p(x).to_bits()
    }

    #[test]
    fn the_table_is_libms_and_so_is_what_lies_beside_it() {
        for whole in (0..9_000).map(f64::from) {
            assert!(
                same(whole)
                    && same(whole.next_up())
                    && same(whole.next_down())
                    && same(whole + 0.5),
                "{whole}"
            );
        }
        for edge in [
            -0.0,
            -0.5,
            1e-300,
            2_f64.powi(52),
            2_f64.powi(53) + 2.0,
            1e300,
            f64::INFINITY,
            4_095.5,
        ] {
            assert!(same(edge), "{edge}");
        }
        assert!(Log1p::new().of(f64::NAN).is_nan());
    }

    proptest! {
        #[test]
        fn any_number_has_libms_logarithm(bits in any::<u64>(), small in -0.9..5_000.0_f64) {
            let x = f64::from_bits(bits);
            prop_assert!(x.is_nan() || x < -1.0 || same(x));
            prop_assert!(same(small) && same(small.round()));
        }
    }
}
