//! Numbers as text: shown, read and serialised as the normalised string, validated on the way in.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::{NumberError, NumberKind};
use super::field::{Want, parse};
use super::types::{
    FilingNumber, LicenceNumber, Number, PublicSecurityNumber, ServiceNumber, SubjectNumber,
    unreachable_kind,
};
use super::{LAST_YEAR, Mode};

/// Text, order of parsing and serialised form are the normalised string.
macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, concat!(stringify!($name), "({})"), self.as_str())
            }
        }

        /// Reads strictly, without a bound on the year other than the century.
        impl FromStr for $name {
            type Err = NumberError;

            fn from_str(text: &str) -> Result<Self, NumberError> {
                Self::parse(text, LAST_YEAR)
            }
        }

        as_serialised!($name);
    )*};
}

macro_rules! as_serialised {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        /// Validates; the year may be any of the century, since a reader has no clock.
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

as_text!(
    SubjectNumber,
    ServiceNumber,
    LicenceNumber,
    PublicSecurityNumber
);

impl fmt::Display for FilingNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for FilingNumber {
    type Err = NumberError;

    /// Reads strictly; a licence number is read as the subject number it serves as.
    fn from_str(text: &str) -> Result<Self, NumberError> {
        let number = parse(text, Mode::Strict, Want::Filing, LAST_YEAR)?.number;
        let subject = number
            .subject()
            .ok_or_else(|| unreachable_kind(number.kind(), NumberKind::Filing))?;
        Ok(Self {
            subject,
            service: number.service(),
        })
    }
}

as_serialised!(FilingNumber);

impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for Number {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, NumberError> {
        Ok(parse(text, Mode::Strict, Want::Any, LAST_YEAR)?.number)
    }
}

as_serialised!(Number);
