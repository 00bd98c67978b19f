// Copyright The Waybill Authors
// SPDX-License-Identifier: Apache-2.0

package patterns

import (
	"context"
	"errors"

	"github.com/waybill-go/waybill/envelope"
)

// channels: field

// Parcel goes through a channel of parcels.
type Parcel struct {
	Item   string
	Header *envelope.Header `json:"-"` // what travels beside it
}

// channels: end

// SendParcel sends on a channel of a concrete type.
func SendParcel(ctx context.Context, parcels chan<- Parcel, item string) {
	// channels: field-send
	parcels <- Parcel{Item: item, Header: envelope.NewHeader(ctx)}
	// channels: end
}

// DeliverParcels handles all parcels.
func DeliverParcels(ctx context.Context, parcels <-chan Parcel, deliverParcel func(context.Context, Parcel) error) error {
	var failed error
	// channels: field-receive
	deliver := envelope.Handler(ctx, "deliver parcel", deliverParcel)
	for parcel := range parcels {
		failed = errors.Join(failed, deliver(envelope.New(parcel, parcel.Header)))
	}
	// channels: end
	return failed
}
