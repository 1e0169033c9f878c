package userpool

import "testing"

func TestANameIsOfTheKindThatItLooksLike(t *testing.T) {
	for name, want := range map[string]Kind{
		"6ae6783f-4fbd-e91b-6eb8-8b73a48ed247":    Sub,
		"6AE6783F-4FBD-E91B-6EB8-8B73A48ED247":    Sub,
		"6ae6783f-4fbd-e91b-6eb8-8b73a48ed24g":    Plain,
		"6ae6783f-4fbd-e91b-6eb8-8b73a48ed2\x117": Plain,
		"6ae6783f-4fbd-e91b-6eb88-b73a48ed247":    Plain,
		"6ae6783f-4fbd-e91b-6eb8-8b73a48e-247":    Plain,
		"6ae6783f04fbd0e91b06eb808b73a48ed247":    Plain,
		"6ae6783f-4fbd-e91b-6eb8-8b73a48ed2477":   Plain,
		"alice@example.com":                       Address,
		"+4915112345678":                          Number,
		"alice":                                   Plain,
		"":                                        Plain,
	} {
		if got := KindOf(name); got != want {
			t.Errorf("%q is of kind %q, not %q", name, got, want)
		}
	}
}
