"""Annotation formats, one file a family: each turns files into rows, and `Reading` turns rows into a Listing."""
