"""Measures mailgate hop by hop, beside other programs, in one run: `python -m bench --help`."""
