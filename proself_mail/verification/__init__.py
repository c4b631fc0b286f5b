"""`verify`: whether everything of a stack is as it should be, check by check."""
