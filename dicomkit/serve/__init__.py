"""An archive behind the wires."""
