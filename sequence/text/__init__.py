"""Numbers and bytes: what the text is and where its terms lie; no Django, no files."""
