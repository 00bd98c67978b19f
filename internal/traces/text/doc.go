// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

// Package text draws a trace as a waterfall for terminals: what [explain.Explain] says of it, and
// below that its spans as a tree, with bars that show when they ran and how long their messages
// had waited.
//
//	err := text.Write(os.Stdout, id, spans, text.Options{Colour: isTerminal, Width: columns})
//
// Siblings that are alike are shown as a few of them. Names are cut to the width, and cannot
// control the terminal.
package text
