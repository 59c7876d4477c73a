"""What an experiment is (`schema`) and how it is read from YAML and the command line (`load`)."""

from videonet.config.load import ConfigError, Resolved, from_dict, load_config, read_settings, to_dict, to_yaml
from videonet.config.schema import Config

__all__ = ["Config", "ConfigError", "Resolved", "from_dict", "load_config", "read_settings", "to_dict", "to_yaml"]
