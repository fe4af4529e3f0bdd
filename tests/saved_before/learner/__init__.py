"""My own GPT, part by part: each of these files passed its check."""
