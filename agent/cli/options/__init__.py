"""Options that several commands have alike, and what each group takes from the configuration."""
