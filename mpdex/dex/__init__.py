"""How every venue does it: the parts of `MultiPerpDexMixin`."""
