"""What each reader is told: routes, news, sections and templates."""
