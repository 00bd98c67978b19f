// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package console

import (
	"encoding/json"
	"net/http"
)

// answer shows v as JSON.
func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // The client may have gone.
}

// failure is the form of errors in the API.
type failure struct {
	Error string `json:"error"`
}

// fail answers with an error. The text goes to whoever asked.
func fail(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(failure{text}) // The client may have gone.
}
