//! Settings of the user commands: a flag wins over an environment variable, which wins over the file, which wins over the default.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::exit::CliError;

/// Where a coordinator listens unless told otherwise.
const DEFAULT_API: &str = "http://127.0.0.1:8080";
/// How long a command waits for what it follows, in seconds: a few times what finality takes on common chains.
const DEFAULT_TIMEOUT_S: u64 = 1800;

/// Settings that all user commands take. Each flag also has a HYPHA_… variable and a line in the settings file.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Common {
    /// Settings file (TOML): api, admin, admin_token_file, deployment, keystore, timeout_s, and a table rpc of chain id = URL
    #[arg(long, value_name = "FILE", env = "HYPHA_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Base URL of the coordinator [default: http://127.0.0.1:8080]
    #[arg(long, value_name = "URL", env = "HYPHA_API")]
    pub(crate) api: Option<String>,
    /// Deployment file that `hypha deploy` wrote
    #[arg(long, value_name = "FILE", env = "HYPHA_DEPLOYMENT")]
    pub(crate) deployment: Option<PathBuf>,
    /// Node of a chain; repeat it, or separate by commas, for several
    #[arg(long, value_name = "CHAIN=URL", env = "HYPHA_RPC", value_delimiter = ',', hide_env_values = true)]
    pub(crate) rpc: Vec<String>,
    /// Give up after so many seconds [default: 1800]
    #[arg(long, value_name = "SECONDS", env = "HYPHA_TIMEOUT")]
    pub(crate) timeout: Option<u64>,
    /// Print results as JSON on standard output, failures as JSON on standard error
    #[arg(long, env = "HYPHA_JSON")]
    pub(crate) json: bool,
}

/// The settings file.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SettingsFile {
    /// Base URL of the coordinator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) api: Option<String>,
    /// Base URL of the coordinator's listener for its operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) admin: Option<String>,
    /// File of the operator's token; relative to the settings file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) admin_token_file: Option<PathBuf>,
    /// Deployment file; relative to the settings file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deployment: Option<PathBuf>,
    /// Keystore of the signing key; relative to the settings file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) keystore: Option<PathBuf>,
    /// Seconds after which a command gives up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timeout_s: Option<u64>,
    /// Node URL of each chain id.
    pub(crate) rpc: BTreeMap<String, String>,
}

/// What holds after flags, environment, file and defaults were put together.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Base URL of the coordinator, without a slash at its end.
    pub(crate) api: String,
    /// Base URL of the operator's listener.
    pub(crate) admin: Option<String>,
    /// File of the operator's token.
    pub(crate) admin_token_file: Option<PathBuf>,
    /// Deployment file.
    pub(crate) deployment: Option<PathBuf>,
    /// Keystore named in the settings file.
    pub(crate) keystore: Option<PathBuf>,
    /// How long to wait.
    pub(crate) timeout: Duration,
    /// Node URL of each chain.
    pub(crate) rpc: BTreeMap<u64, String>,
    /// Whether results are printed as JSON.
    pub(crate) json: bool,
}

impl Settings {
    /// Reads the settings file if one is named, and puts everything together.
    pub(crate) fn load(common: &Common) -> Result<Self, CliError> {
        let file = match &common.config {
            Some(path) => read_file(path)?,
            None => SettingsFile::default(),
        };
        Self::merge(common, file)
    }

    /// The rule of precedence. (Clap has put flags over variables already.)
    fn merge(common: &Common, file: SettingsFile) -> Result<Self, CliError> {
        let mut rpc = BTreeMap::new();
        for (chain, url) in &file.rpc {
            rpc.insert(chain_id(chain)?, url.clone());
        }
        for pair in &common.rpc {
            let (chain, url) = pair.split_once('=').ok_or_else(|| {
                CliError::Usage("--rpc wants CHAIN=URL, for example 31337=http://127.0.0.1:8545".into())
            })?;
            rpc.insert(chain_id(chain)?, url.to_owned());
        }
        let api = common.api.clone().or(file.api).unwrap_or_else(|| DEFAULT_API.to_owned());
        Ok(Self {
            api: api.trim_end_matches('/').to_owned(),
            admin: file.admin,
            admin_token_file: file.admin_token_file,
            deployment: common.deployment.clone().or(file.deployment),
            keystore: file.keystore,
            timeout: Duration::from_secs(common.timeout.or(file.timeout_s).unwrap_or(DEFAULT_TIMEOUT_S)),
            rpc,
            json: common.json,
        })
    }
}

fn chain_id(text: &str) -> Result<u64, CliError> {
    text.trim().parse().map_err(|_| CliError::Usage(format!("{text:?} is not a chain id")))
}

/// Reads a TOML file into settings or a service's configuration; says which file and what is wrong with it.
pub(crate) fn read_toml<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, CliError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| CliError::Usage(format!("{}: {error}", path.display())))?;
    toml::from_str(&text).map_err(|error| CliError::Usage(format!("{}: {error}", path.display())))
}

fn read_file(path: &Path) -> Result<SettingsFile, CliError> {
    let mut file: SettingsFile = read_toml(path)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    for named in [&mut file.deployment, &mut file.keystore, &mut file.admin_token_file].into_iter().flatten()
    {
        *named = folder.join(&*named); // an absolute path stays what it is
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> SettingsFile {
        SettingsFile {
            api: Some("http://file/".into()),
            deployment: Some("file.json".into()),
            timeout_s: Some(7),
            rpc: BTreeMap::from([("1".into(), "http://one".into()), ("2".into(), "http://two".into())]),
            ..SettingsFile::default()
        }
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let flags = Common {
            api: Some("http://flag".into()),
            rpc: vec!["2=http://flag".into()],
            ..Common::default()
        };
        let settings = Settings::merge(&flags, file()).unwrap();
        assert_eq!(settings.api, "http://flag");
        assert_eq!(settings.deployment.unwrap(), PathBuf::from("file.json"));
        assert_eq!(settings.timeout.as_secs(), 7);
        assert_eq!(settings.rpc[&1], "http://one");
        assert_eq!(settings.rpc[&2], "http://flag");

        let settings = Settings::merge(&Common::default(), file()).unwrap();
        assert_eq!(settings.api, "http://file");
        let settings = Settings::merge(&Common::default(), SettingsFile::default()).unwrap();
        assert_eq!((settings.api.as_str(), settings.timeout.as_secs()), (DEFAULT_API, DEFAULT_TIMEOUT_S));
    }

    #[test]
    fn an_unknown_setting_and_a_wrong_chain_are_usage_errors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hypha.toml");
        std::fs::write(&path, "apy = \"x\"").unwrap();
        let error = read_file(&path).unwrap_err();
        assert!(matches!(&error, CliError::Usage(text) if text.contains("apy")), "{error}");
        let flags = Common { rpc: vec!["x=http://a".into()], ..Common::default() };
        assert!(matches!(Settings::merge(&flags, SettingsFile::default()), Err(CliError::Usage(_))));
        let flags = Common { rpc: vec!["http://a".into()], ..Common::default() };
        assert!(matches!(Settings::merge(&flags, SettingsFile::default()), Err(CliError::Usage(_))));
    }

    #[test]
    fn paths_in_the_file_are_relative_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hypha.toml");
        std::fs::write(&path, "deployment = \"deployment.json\"\nkeystore = \"/keys/me\"").unwrap();
        let file = read_file(&path).unwrap();
        assert_eq!(file.deployment.unwrap(), folder.path().join("deployment.json"));
        assert_eq!(file.keystore.unwrap(), PathBuf::from("/keys/me"));
    }
}
