"""Charts, pages and figures as every document of slod has them; data in, text out."""
