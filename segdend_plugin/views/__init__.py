"""What a user looks at: pictures, reports and progress."""
