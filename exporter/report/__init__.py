"""The reliability review: data in, Markdown, HTML or JSON out."""
