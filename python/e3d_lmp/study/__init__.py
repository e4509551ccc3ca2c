"""Studies of many models: what is trained, how each is judged, and one table of all."""
