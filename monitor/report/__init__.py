"""The oversight report: whom the service has lost sight of, since when, and what was done.

``contents`` says what a report holds, as values; ``figures`` gathers it from the store; ``suppression`` makes of it
the edition for a board. The page and the workbook choose words and layout only.
"""
