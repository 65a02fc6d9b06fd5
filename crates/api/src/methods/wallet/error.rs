//! Errors of the wallet, with Bitcoin Core's codes.

use yap_wallet::{BumpError, Exhausted, KeyError, LabelError, PayError, PsbtError};

use crate::error::{Code, Error};

impl From<KeyError> for Error {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum may grow")]
    fn from(error: KeyError) -> Self {
        let (code, text) = match &error {
            KeyError::Locked => (
                Code::UnlockNeeded,
                "Error: Please enter the wallet passphrase with walletpassphrase first.".to_owned(),
            ),
            KeyError::WrongPassphrase => {
                (Code::PassphraseIncorrect, "Error: The wallet passphrase entered was incorrect.".to_owned())
            }
            KeyError::Unprotected | KeyError::Protected => (Code::WrongEncryptionState, format!("Error: {error}")),
            KeyError::EmptyPassphrase => (Code::InvalidParameter, "passphrase cannot be empty".to_owned()),
            _ => (Code::InvalidParameter, error.to_string()),
        };
        Self::new(code, text)
    }
}

impl From<PayError> for Error {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum may grow")]
    fn from(error: PayError) -> Self {
        match error {
            PayError::Keys(error) => error.into(),
            PayError::TooLittle { .. } => Self::new(Code::InsufficientFunds, format!("Insufficient funds: {error}")),
            PayError::Dust { .. } => Self::new(Code::Wallet, format!("Transaction amount too small: {error}")),
            PayError::NoCoin(_) | PayError::TooMany(_) | PayError::Amount | PayError::LongNote(_) => {
                Self::new(Code::InvalidParameter, error.to_string())
            }
            _ => Self::new(Code::Wallet, error.to_string()),
        }
    }
}

impl From<BumpError> for Error {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum may grow")]
    fn from(error: BumpError) -> Self {
        match error {
            BumpError::Pay(error) => error.into(),
            BumpError::Unknown(_) => super::foreign(),
            BumpError::Descendants(..) => {
                Self::new(Code::InvalidParameter, format!("Transaction has descendants in the wallet: {error}"))
            }
            BumpError::RateTooLow { .. } => Self::new(Code::InvalidParameter, error.to_string()),
            _ => Self::new(Code::Wallet, error.to_string()),
        }
    }
}

impl From<PsbtError> for Error {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum may grow")]
    fn from(error: PsbtError) -> Self {
        match error {
            PsbtError::Keys(error) => error.into(),
            PsbtError::TooLarge(_) => Self::new(Code::Deserialization, error.to_string()),
            _ => Self::new(Code::Wallet, error.to_string()),
        }
    }
}

impl From<LabelError> for Error {
    fn from(error: LabelError) -> Self {
        Self::new(Code::InvalidLabel, error.to_string())
    }
}

impl From<Exhausted> for Error {
    fn from(error: Exhausted) -> Self {
        Self::new(Code::Wallet, error.to_string())
    }
}
