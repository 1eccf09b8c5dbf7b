{{ config(materialized='ephemeral', contract={'enforced': false}) }}

{{ as_of_dates() }}
