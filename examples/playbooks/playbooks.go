// Package playbooks has the pages to go through from top to bottom in a breach, for a
// rotation and for an audit, and the texts that go with them. The tool shows them where
// nothing but its binary is at hand.
package playbooks

import "embed"

// Files are the pages, and the texts in their folder.
//
//go:embed *.md texts/*.md
var Files embed.FS
