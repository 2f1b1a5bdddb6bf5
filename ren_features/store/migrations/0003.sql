-- Titles and ranges of features; the dictionary is filled anew after every migration.
ALTER TABLE features ADD COLUMN title VARCHAR;
ALTER TABLE features ADD COLUMN range VARCHAR;
