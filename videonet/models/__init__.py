"""The networks of the paper, 2D and 3D. `create_model(name)` builds one, `list_models(pattern)` names them all.

`ls` of this folder is the paper's table of contents: block (Eq. 1), stage (Fig. 1), shortcut (Fig. 2), stem and head
(Table I), families (the table of variants); backbone and recognizer put them together; complexity counts them;
inflate and pretrained bring weights in. Layout: (N, C, T, H, W).
"""

from videonet.models.families import create_model, default_input, list_models

__all__ = ["create_model", "default_input", "list_models"]
