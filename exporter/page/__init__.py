"""The page: what people look at, rendered here, with nothing from any other host."""
