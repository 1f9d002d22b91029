"""The outbox: messages saved with the changes they tell of, then delivered."""
