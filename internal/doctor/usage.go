package doctor

import (
	"context"
	"fmt"
)

// examineUsage compares every account's record with its pictures. One statement reads both, at one moment, so there is
// nothing to look at twice.
func (e *examination) examineUsage(ctx context.Context) error {
	after := ""
	for {
		page, err := e.store.Usages(ctx, after, e.page)
		if err != nil {
			return err
		}
		for _, u := range page {
			e.sum.Accounts++
			if !u.Differs() {
				continue
			}
			finding := Finding{Kind: WrongUsage, Account: u.AccountName, Detail: u.difference()}
			if e.opts.Repair {
				finding.Repaired, err = e.store.RepairUsage(ctx, u.AccountID)
				if err != nil {
					return err
				}
				if !finding.Repaired {
					continue // the account was deleted meanwhile
				}
			}
			e.tell(finding)
		}
		if len(page) < e.page {
			return nil
		}
		after = page[len(page)-1].AccountID
	}
}

func (u Usage) difference() string {
	sum := fmt.Sprintf("its %d pictures have %d bytes", u.SumImages, u.SumBytes)
	if !u.OnRecord {
		return sum + " and there is no record, nor a quota"
	}
	return fmt.Sprintf("%s, and %d pictures with %d bytes are on record", sum, u.Images, u.Bytes)
}
