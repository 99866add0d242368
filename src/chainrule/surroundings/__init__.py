"""What a traced function finds around itself: read off its code, remembered as it was, and asked for at each call."""
