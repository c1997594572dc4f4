use crate::serve::wire::inference::InferTensorContents;

/// The types of numbers that inputs may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberType {
    Fp64,
    Fp32,
    Int64,
    Int32,
}

impl NumberType {
    /// The type that the protocol calls this; `None` for any other.
    pub(super) fn from_name(datatype: &str) -> Option<Self> {
        match datatype {
            "FP64" => Some(Self::Fp64),
            "FP32" => Some(Self::Fp32),
            "INT64" => Some(Self::Int64),
            "INT32" => Some(Self::Int32),
            _ => None,
        }
    }

    /// Bytes of one number.
    pub(super) fn width(self) -> usize {
        match self {
            Self::Fp64 | Self::Int64 => 8,
            Self::Fp32 | Self::Int32 => 4,
        }
    }

    /// The numbers of raw contents, which are little-endian. Bytes beyond the last whole number are ignored.
    pub(super) fn raw_numbers(self, bytes: &[u8]) -> Vec<f64> {
        match self {
            Self::Fp64 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|b| f64::from_le_bytes(*b))
                .collect(),
            Self::Fp32 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|b| f64::from(f32::from_le_bytes(*b)))
                .collect(),
            Self::Int64 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|b| exact(i64::from_le_bytes(*b)))
                .collect(),
            Self::Int32 => bytes
                .as_chunks()
                .0
                .iter()
                .map(|b| f64::from(i32::from_le_bytes(*b)))
                .collect(),
        }
    }

    /// The numbers of typed contents. The error is the name of a list that belongs to another type.
    pub(super) fn typed_numbers(
        self,
        contents: &InferTensorContents,
    ) -> Result<Vec<f64>, &'static str> {
        let InferTensorContents {
            bool_contents,
            int_contents,
            int64_contents,
            uint_contents,
            uint64_contents,
            fp32_contents,
            fp64_contents,
            bytes_contents,
        } = contents;
        let filled = [
            ("bool_contents", !bool_contents.is_empty()),
            (
                "int_contents",
                !int_contents.is_empty() && self != Self::Int32,
            ),
            (
                "int64_contents",
                !int64_contents.is_empty() && self != Self::Int64,
            ),
            ("uint_contents", !uint_contents.is_empty()),
            ("uint64_contents", !uint64_contents.is_empty()),
            (
                "fp32_contents",
                !fp32_contents.is_empty() && self != Self::Fp32,
            ),
            (
                "fp64_contents",
                !fp64_contents.is_empty() && self != Self::Fp64,
            ),
            ("bytes_contents", !bytes_contents.is_empty()),
        ];
        if let Some((name, _)) = filled.iter().find(|(_, filled)| *filled) {
            return Err(name);
        }
        Ok(match self {
            Self::Fp64 => fp64_contents.clone(),
            Self::Fp32 => fp32_contents.iter().map(|x| f64::from(*x)).collect(),
            Self::Int64 => int64_contents.iter().map(|x| exact(*x)).collect(),
            Self::Int32 => int_contents.iter().map(|x| f64::from(*x)).collect(),
        })
    }
}

/// An integer as a floating-point number; infinite, and so rejected, where it would have to be rounded.
fn exact(number: i64) -> f64 {
    if number.unsigned_abs() <= 1 << f64::MANTISSA_DIGITS {
        number as f64
    } else {
        f64::INFINITY
    }
}
