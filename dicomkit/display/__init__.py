"""Tables, trees and cards as HTML and as plain text; nothing here knows what a DataSet is."""
