"""Looking back: audit, explanation, replay, retention and removal."""
