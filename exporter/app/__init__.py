"""The composition root: the only room, with `cli`, that knows everybody.

`daemon` puts the parts together; `polling`, `keeper` and `delivery` carry data between them.
"""
