"""videonet: video action recognition with improved residual networks (Duta et al. 2020)."""

from videonet.models import create_model, list_models, load_weights

__version__ = "0.1.0"
__all__ = ["create_model", "list_models", "load_weights"]
