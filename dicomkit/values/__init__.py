"""One value: its bytes, its Python form, and the rules of its VR."""
