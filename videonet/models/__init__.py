"""The networks of the paper, 2D and 3D. `create_model(name)` builds one, `list_models(pattern)` names them all.

`ls` of this folder is the paper's table of contents: block (Eq. 1), stage (Fig. 1), shortcut (Fig. 2), stem and head
(Table I), families (the table of variants); backbone and recognizer put them together, create makes a net of a name;
complexity and memory count, paper_tables holds the paper's figures; weightfile, keymaps, pretrained (`load_weights`)
and inflate bring weights in, download fetches them; zoo holds the networks of other packages.

Layout: (N, C, T, H, W).
"""

from videonet.models.create import create_model, default_input, list_models
from videonet.models.pretrained import load_weights

__all__ = ["create_model", "default_input", "list_models", "load_weights"]
