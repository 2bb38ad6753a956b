"""The suite that every venue passes, in parts; `mpdex.testing` puts them together."""
