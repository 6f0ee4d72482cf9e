"""The pure core: manifest text in; `Pipeline`, `Plan`, `Steps` and documents out. No I/O happens here."""
