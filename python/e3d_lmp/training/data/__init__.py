"""Training data: public layouts, alignment of levels, screening, sets for nequip."""
