"""De-identification by the profile and options of PS3.15 annex E."""
