"""Training of Allegro models under the E3D protocol (shift 0, scale 1, cohesive-energy targets)."""
