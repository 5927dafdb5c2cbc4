"""Reading a vault: scanning, parsing, links, watching."""
