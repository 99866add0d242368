"""What pages are made of, whatever they show: the shell, its scripts and styles, charts, maps, numbers as text."""
