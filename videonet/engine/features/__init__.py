"""Features of videos: `embed.py` (what is taken from the network), `batches.py` (forwards of one size), `events.py`
(what comes of reading videos), `growing.py` and `formats.py` (files), `folder.py` (index, resume), `extract.py`."""
