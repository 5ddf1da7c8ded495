//! What the operator refunds of a transaction's gas.
//!
//! Source: `matter-labs/zksync-era` `core/lib/multivm/src/versions/vm_latest/utils/refund.rs`.

use primitive_types::U256;

use crate::batch::BatchEnv;

/// What the bootloader says when it asks for a refund, and what the operator knows besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefundRequest {
    /// Gas that the bootloader would give back.
    pub proposed: u64,
    /// Gas spent on pubdata.
    pub gas_on_pubdata: u64,
    /// Gas for a byte of pubdata.
    pub gas_per_pubdata: u32,
    /// The transaction's gas limit.
    pub gas_limit: u64,
    /// Bytes of pubdata published since the run of the transaction started.
    pub pubdata_published: u32,
}

/// Gas to refund: what was paid less the fair fee for computation and pubdata, in gas at the base fee.
pub fn refund(batch: &BatchEnv, request: &RefundRequest) -> u64 {
    let base_fee = batch.base_fee();
    if base_fee == 0 {
        return 0;
    }
    let spent = request.gas_limit.saturating_sub(request.proposed);
    let on_computation = spent.saturating_sub(request.gas_on_pubdata);
    let paid_price = U256::from(base_fee) * U256::from(request.gas_per_pubdata);
    let pubdata_price = paid_price.min(batch.fee_input.fair_pubdata_price().into());
    let fair_fee = U256::from(on_computation) * U256::from(batch.fee_input.fair_l2_gas_price())
        + U256::from(request.pubdata_published) * pubdata_price;
    let paid = U256::from(request.gas_limit) * U256::from(base_fee);
    let refund = paid.saturating_sub(fair_fee);
    let base_fee = U256::from(base_fee);
    ((refund + base_fee - 1) / base_fee).low_u64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::FeeInput;

    fn batch(fair_l2_gas_price: u64, fair_pubdata_price: u64) -> BatchEnv {
        let prices = FeeInput::PubdataIndependent {
            fair_l2_gas_price,
            fair_pubdata_price,
            l1_gas_price: 0,
        };
        BatchEnv::of_prices(prices, None)
    }

    const REQUEST: RefundRequest = RefundRequest {
        proposed: 400,
        gas_on_pubdata: 100,
        gas_per_pubdata: 10,
        gas_limit: 1000,
        pubdata_published: 7,
    };

    #[test]
    fn computation_is_charged_at_the_gas_price_and_pubdata_at_the_lower_of_both_prices() {
        // Base fee 10: 1000 gas cost 10,000; 500 on computation 5,000; 7 bytes at min(10 * 10, 60) cost 420.
        assert_eq!(refund(&batch(10, 60), &REQUEST), 458);
        // A byte is worth more than the user pays for it: 7 bytes at 100.
        assert_eq!(refund(&batch(10, 500), &REQUEST), 430);
    }

    #[test]
    fn a_fair_fee_above_what_was_paid_refunds_nothing() {
        let request = RefundRequest {
            pubdata_published: 1_000_000,
            ..REQUEST
        };
        assert_eq!(refund(&batch(10, 60), &request), 0);
        assert_eq!(refund(&batch(0, 0), &REQUEST), 0);
    }
}
