/**
 * One seed for all property tests, so that a red suite is red again on the next run. PRELORA_PROPERTY_SEED sets another, for looking further;
 * what is found that way becomes an example of its own.
 */
import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env.PRELORA_PROPERTY_SEED ?? 20261123) });
