"""The version of this package, where files and pages say what made them."""

__version__ = "0.2.0"
