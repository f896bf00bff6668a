package main

import "testing"

func TestLogsAreCut(t *testing.T) {
	for _, c := range []struct{ text, tail, limit, expected string }{
		{"a\nb\nc\n", "", "", "a\nb\nc\n"},
		{"a\nb\nc\n", "2", "", "b\nc\n"},
		{"a\nb\nc", "1", "", "c"},
		{"a\nb\nc\n", "5", "3", "a\nb"},
		{"", "3", "10", ""},
		{"a\n", "0", "", ""},
	} {
		if found := cut(c.text, c.tail, c.limit); found != c.expected {
			t.Errorf("%+v: %q", c, found)
		}
	}
}
